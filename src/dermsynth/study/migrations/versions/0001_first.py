"""The first layout: settings, invitations, raters, trials, answers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "setting", sa.Column("name", sa.String(40), primary_key=True), sa.Column("value", sa.Text(), nullable=False)
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("cap", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
    )
    op.create_table(
        "rater",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("invitation_id", sa.Integer(), sa.ForeignKey("invitation.id"), nullable=False),
        sa.Column("name", sa.String(16), nullable=False, unique=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("consented", sa.String(32), nullable=False),
        sa.Column("group", sa.String(40), nullable=False),
        sa.Column("years", sa.String(8), nullable=False),
        sa.Column("instructed", sa.String(32), nullable=False),
        sa.Column("finished", sa.String(32), nullable=False),
        sa.Column("comments", sa.Text(), nullable=False),
        sa.Column("excluded", sa.Text(), nullable=False),
    )
    op.create_table(
        "trial",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("rater_id", sa.Integer(), sa.ForeignKey("rater.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(16), nullable=False),
        sa.Column("repeat", sa.Boolean(), nullable=False),
        sa.Column("asked", sa.String(16), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.UniqueConstraint("rater_id", "position"),
    )
    op.create_table(
        "answer",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("trial_id", sa.Integer(), sa.ForeignKey("trial.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("nonce", sa.String(32), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("measured", sa.Text(), nullable=False),
        sa.Column("received", sa.String(32), nullable=False),
        sa.UniqueConstraint("trial_id", "nonce"),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in ("answer", "trial", "rater", "invitation", "setting"):
        op.drop_table(table)
