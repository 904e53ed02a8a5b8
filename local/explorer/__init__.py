"""Every state that small rotations can reach, by the app's own flows, and what holds in each.

cluster        the model: what a member's Linkerd and Kubernetes do by themselves
mesh, world    the model as the app's activities and flows see it
state          a state: the rotation, its members, their clusters, the vault
member_work    what may come of a member's round: the real steps of its phase
fleet          what may follow from a state: the real orchestrator (round_run)
hazards        what may befall a world
promises       what holds in every state
search         the search; a broken promise is told as a story
mutants        the app without one of its rules: each has to break a promise (cut)
faults         the app without what mends a fault that was once seen
"""
