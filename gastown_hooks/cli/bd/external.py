"""`bd external`: the beads of other projects that ours depend on."""

from __future__ import annotations

import click

from gastown_hooks.cli import common
from gastown_hooks.cli.bd import _shared
from gastown_hooks.cli.loader import Group
from gastown_hooks.work import external


@click.group(cls=Group, short_help="Beads of other projects that ours depend on.")
def cli() -> None:
    """Beads of other projects: external:PROJECT:ID (or a capability: what a closed bead there is labelled provides:NAME for), or
    beads://HOST/ORG/REPO/ID. They are looked up in clones on this disk, named by `bd config set external_projects.PROJECT FOLDER`.
    What cannot be read is unknown, and unknown holds back whoever waits for it.

    \b
    Examples:
      bd config set external_projects.backend ../backend
      bd dep add web-abc12 external:backend:be-456
      bd external list
      bd external refresh
    """


@cli.command("list", short_help="How they stand.")
@common.json_option
def list_(as_json: bool) -> None:
    """Show each reference with its state, and who depends on it. No network is asked.

    \b
    Examples:
      bd external list
    """
    where = _shared.world()
    found = external.states(where, external.depended_on(where))
    if as_json:
        common.emit_json(found)
        return
    for one in found:
        how = one["why"] or f"{one['title']}; as of {one['as_of']}"
        common.say(common.cleaned(f"{one['reference']}  {one['status']}  ({how})  needed by {' '.join(one['needed_by'])}"))
    if not found:
        common.say("No bead depends on another project's")


@cli.command(short_help="Fetch into the clones, and look anew.")
@common.dry_run_option
@common.json_option
def refresh(dry_run: bool, as_json: bool) -> None:
    """Ask the remote of each configured clone (git fetch; its own branches and files stay as they are), then read the clones. A project
    whose remote cannot be reached is unknown until it can.

    \b
    Examples:
      bd external refresh
      bd external refresh --dry-run
    """
    where = _shared.world()
    done = external.refresh(where, external.depended_on(where), dry_run=dry_run)
    if as_json:
        common.emit_json(done)
        return
    for one in done:
        if dry_run:
            how = f"would fetch into {one['folder']}"
        else:
            how = f"! {one['why']}" if one["why"] else f"fetched {one['branch']}" if one["branch"] else "has no remote"
        common.say(common.cleaned(f"{one['project']}: {how}"))
    if not done:
        common.say("No project is configured. Next: bd config set external_projects.NAME FOLDER")
