"""The pages for people: `report.html` of a run and `plan.html` of a plan.

Each is one file that asks nothing of the network. It shows identifiers, statuses and reasons: people go by
their ids. A cell that makes a row invalid is quoted, and a plan shows the reasons as the mails would have them.
"""
