"""`python -m bulk_cancel`."""

from bulk_cancel.cli.main import main

if __name__ == "__main__":
    main()
