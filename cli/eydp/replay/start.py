"""A replay from end to end, under its lease."""

from datetime import date, timedelta

from dataplatform.schemas import CART_EVENTS, QUARANTINE
from eydp.replay.feeds import EventsFeed, Feed, Progress, QuarantineFeed
from eydp.replay.rows import EventRows
from eydp.replay.run import Replay, Report, job_key
from eydp.replay.staging import Staging
from eydp.replay.targets import EVENTS, TARGETS, Target
from eydp.replay.wiring import Upkeep

#: One name for all that changes raw tables from the raw zone: a rebuild swaps what a replay appends to.
LEASE = "raw-tables"


async def replay(tools: Upkeep, entity: str, days: tuple[date, date], *, check: bool, progress: Progress) -> Report:
    """Replay some days of `carts_events` or `quarantine`.

    Raises:
        BusyError: another replay or rebuild is at it; nothing was done.
        InvalidDataError: an object can't be read, or BigQuery refuses a row.
        UnavailableError: a service did not answer within the retry deadline.
    """
    target = TARGETS[entity]
    report = Report(tools.run_id, entity, *days, check=check)
    staging = Staging(tools.jobs, progress, part_max_bytes=tools.settings.part_max_bytes)
    lease = tools.lease(LEASE)

    async def work() -> None:
        await await_the_dead(tools, lease.previous_run_id)
        run = Replay(target, tools.jobs, staging, tools.platform, tools.settings, tools.clock)
        await run.run(await feed(tools, target, days), report)

    await lease.hold(work)
    return report


async def feed(tools: Upkeep, target: Target, days: tuple[date, date] | None) -> Feed:
    """Return what the raw zone holds for a table, of some days or, without them, of all."""
    now = tools.clock.now()
    young = now - timedelta(seconds=tools.settings.raw_margin_seconds)
    if target is not EVENTS:
        shop = tools.context.source.name
        return QuarantineFeed(tools.archive, tools.zone, tools.bucket, shop=shop, young=young, days=days)
    live = await tools.jobs.described(tools.platform.raw_table(CART_EVENTS.name))
    fields = live["schema"]["fields"] if live else []
    rows = EventRows(fields, await refused(tools, tools.platform.raw_table(QUARANTINE.name), days))
    return EventsFeed(tools.archive, tools.zone, rows, now=now, young=young, days=days)


async def refused(tools: Upkeep, quarantine: str, days: tuple[date, date] | None) -> frozenset[str]:
    """Return the ids of the messages whose rows BigQuery refused: their lines are archived like the others."""
    from google.cloud.bigquery import ScalarQueryParameter

    since = days[0] - timedelta(days=1) if days else date(1970, 1, 1)
    # The table's name comes from validated settings.
    sql = f"""SELECT DISTINCT message_id FROM `{quarantine}`
        WHERE quarantined_at >= TIMESTAMP(@since) AND entity = 'carts_events' AND stage = 'append'"""  # noqa: S608 - as above
    rows = await tools.jobs.warehouse.query(sql, [ScalarQueryParameter("since", "DATE", since)])
    return frozenset(row["message_id"] for row in rows)


async def await_the_dead(tools: Upkeep, run_id: str | None) -> None:
    """Wait for the INSERT of a run that died: it goes on without its run, and would insert what this one does."""
    if run_id is not None:
        for target in TARGETS.values():
            await tools.jobs.ended(f"{job_key(tools.platform, target, run_id)}_insert")
