"""What a person does with MLflow's own client, told once for every generation of it.

Run with a client's own Python, from the folder above: `python -m scenario --uri http://127.0.0.1:5000`.
Each step prints one line; a failing step prints its traceback and the others still run. The last
line is a JSON summary. Nothing here imports the server, and every object made carries a name of
its own, so that the scenario can be run again and again on one server.
"""
