"""What the docstrings below a struct's fields say. Python itself keeps none of them."""

import ast
from functools import cache
from inspect import cleandoc, getsource
from itertools import pairwise


@cache
def meanings(struct: type) -> dict[str, str]:
    """The docstring of each of the struct's own fields that has one, in one line, by the field's name."""
    (defined,) = ast.parse(getsource(struct)).body
    assert isinstance(defined, ast.ClassDef)
    found = {}
    for field, below in pairwise(defined.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(cleandoc(text).split())
    return found
