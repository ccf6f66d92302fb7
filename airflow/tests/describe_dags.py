"""Imports the DAG folder given as argument as Airflow does, and prints what came of it as JSON.

In a process of its own, so that Airflow starts with the environment it is given, and every warning
that points at a file of the folder is seen.
"""

import json
import sys
import warnings

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag

folder = sys.argv[1]


def main():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bag = DagBag(folder)
    facts = {
        "errors": bag.import_errors,
        "files": sorted({dag.fileloc for dag in bag.dags.values()}),
        "warnings": [str(w.message) for w in caught if w.filename.startswith(folder)],
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
    }
    # Airflow 3 catches warnings itself, and keeps them as text.
    kept = getattr(bag, "captured_warnings", {})
    facts["warnings"] += [w for lines in kept.values() for w in lines if folder in w]
    print("\n" + json.dumps(facts))


def describe(dag):
    return {
        "schedule": schedule(dag),
        "catchup": dag.catchup,
        "paused": dag.is_paused_upon_creation,
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "params": dict(dag.params.dump()),
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "tasks": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
        "mapped": [task.task_id for task in dag.tasks if "Mapped" in type(task).__name__],
    }


def schedule(dag):
    """What was given as `schedule`, under its name in 3.x or in 2.x."""
    return dag.schedule if hasattr(dag, "schedule") else dag.schedule_interval


if __name__ == "__main__":
    main()
