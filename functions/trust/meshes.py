"""Which folder rotates which mesh: the one table that names them all."""

from functions.trust.linkerd.member_plan import plan_member as plan_linkerd
from functions.trust.linkerd.phases import PHASES as LINKERD
from functions.trust.mesh_steps import MeshSteps
from shared.domain.trust.mesh import Mesh

MESHES = {Mesh.LINKERD: MeshSteps(phases=LINKERD, plan=plan_linkerd)}
