"""Which series are this release's. Every expression selects by one of these."""

from eydp.alerts.model import NAME, NAMESPACE, SHORT


def pods(component: str, *more: str) -> str:
    """Return the braces that select the series of a component's pods, with more matchers."""
    return "{" + ",".join([f'namespace="{NAMESPACE}"', f'pod=~"{NAME}-{component}-.+"', *more]) + "}"


def cron(label: str, suffix: str, *more: str) -> str:
    """Return the braces that select CronJobs, or with another label their Jobs; `suffix` is a regular expression."""
    return "{" + ",".join([f'namespace="{NAMESPACE}"', f'{label}=~"{SHORT}.*-{suffix}"', *more]) + "}"


def last_success(suffix: str) -> str:
    """Return when each CronJob last ended well, as Unix time; before the first time, when it was made.

    Suspended ones are left out: nobody waits for them.
    """
    of = cron("cronjob", suffix)
    return (
        f"max by (namespace, cronjob) ((kube_cronjob_status_last_successful_time{of} or kube_cronjob_created{of})"
        f" unless on (namespace, cronjob) kube_cronjob_spec_suspend{of} == 1)"
    )


def failed_jobs(suffix: str) -> str:
    """Return the Jobs that failed and were begun after the last good run of their CronJob."""
    jobs = f"{suffix}-[^-]+"
    return (
        f"kube_job_failed{cron('job_name', jobs, 'condition="true"')} == 1"
        f' and on (namespace, job_name) (label_replace(kube_job_created{cron("job_name", jobs)}, "cronjob", "$1",'
        f' "job_name", "(.+)-[^-]+") > on (namespace, cronjob) group_left () {last_success(suffix)})'
    )
