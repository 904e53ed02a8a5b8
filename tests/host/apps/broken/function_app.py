"""An app whose index fails: a parameter that no binding knows."""

import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="tick", schedule="0 0 * * * *")
def sweep(tick: func.TimerRequest, surplus: str) -> None:
    pass
