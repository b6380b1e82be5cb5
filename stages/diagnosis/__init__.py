"""What students get wrong: groups.py puts gold rows into groups, rounds.py follows them from round to round."""
