"""The command scripts/compose-test: the Docker Compose set-up of airflow/, unchanged, on a real container engine.

- test: the command, and the order of its steps
- engine: podman, with storage and networks that are nobody else's
- images: stand-ins for the published images, as no registry is asked
- setup: the set-up as a user has it: its .env, its services and their health
- patterns: the DAGs, counted by `boltbouncer lab --airflow-url`, and the monitor's
- checks: what must hold while it runs, and after it
- management: commands that a person types
- document: docs/results/compose.md
"""
