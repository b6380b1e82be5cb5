"""How new rows come from what was mined: one module for each value of method.add, all of the same shape.

`plan(task, mined, params, q)` returns the rows that are wanted, and the request for each. Without requests the wanted
rows stand as they are.
"""
