"""Which node may take which workload, by the rules of kube-scheduler and KubeVirt, as masks over all nodes.

Requests against allocatable and predicted use stand elsewhere: the planner keeps them as columns.
"""

from ullage.scoring.feasibility.masks import Feasibility

__all__ = ["Feasibility"]
