"""Shortcuts: what gives a row's label away without its meaning (annotation artefacts; Gururangan et al., 2018).

cues.py reads a text's form, rules.py scores how well form alone predicts labels, leaks.py compares synthetic with gold.
"""
