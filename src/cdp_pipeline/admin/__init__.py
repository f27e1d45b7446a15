"""The admin API of a running host: see and steer it, from this machine and as this user only."""

from cdp_pipeline.admin.endpoint import Listen, parse_listen
from cdp_pipeline.admin.server import serving
from cdp_pipeline.admin.subject import Subject

__all__ = ["Listen", "Subject", "parse_listen", "serving"]
