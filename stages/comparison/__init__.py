"""What `python -m stages.compare` acts with: arms, the runs of methods at revisions; their table and pictures."""
