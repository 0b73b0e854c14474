"""The pages for people: `report.html` of a run and `plan.html` of a plan.

Each is one file that asks nothing of the network. It shows identifiers, statuses and reasons, and nobody's name.
"""
