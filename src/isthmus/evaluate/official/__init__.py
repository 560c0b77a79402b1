"""Folders of predictions and labels in the layout of XTREME and XTREME-R, scored as their official evaluator does.

Written from the documented behaviour of that evaluator and checked against its figures (``docs/scoring.md``); none of
its code is here.
"""
