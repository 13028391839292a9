"""What units say about a rollout, and what follows from it: payoffs, evidence, outlook, and the decision of a look.

Pure functions of units, rollout and time. What a unit is and where it comes from is beside this room, who looks is in
`pipeline`.
"""
