"""Alembic's entry: the connection is handed in by `store.open_store`."""

from alembic import context

from dermsynth.study.store import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
