"""The meetergo API over HTTP. Nothing outside this package imports the HTTP library."""
