"""The pages for people: `report.html` of a run and `plan.html` of a plan.

Each is one file that needs no network. It shows ids, statuses and reasons, and people only by their ids. A cell that
makes a row invalid is quoted, and a plan shows the reasons of the mails.
"""
