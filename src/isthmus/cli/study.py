"""The commands that plan and run studies."""

from isthmus.cli.apps import app
from isthmus.cli.options import (
    DEFAULT_STORE,
    Changes,
    Compile,
    Device,
    EngineName,
    EngineOptions,
    Every,
    Examples,
    JsonOption,
    MicroBatch,
    Processes,
    Quiet,
    Recompute,
    RemoteAddress,
    Retries,
    Shard,
    StoreOption,
    StudyArgument,
    Timeout,
    TrackerNames,
    Workers,
    engine_fields,
    training_fields,
)


@app.command("run")
def run_study(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    checkpoint_every: Every = 60.0,
    processes: Processes = 1,
    shard: Shard = "none",
    micro_batch: MicroBatch = None,
    gradient_checkpointing: Recompute = False,
    compile_layers: Compile = False,
    engine: EngineName = "local",
    engine_option: EngineOptions = None,
    retries: Retries = 1,
    timeout: Timeout = None,
    tracker: TrackerNames = None,
    remote: RemoteAddress = None,
    examples: Examples = True,
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Run a study, print the gains and write the report.

    Finished stages are not run again; Ctrl-C is safe, and the same command goes on.
    """
    from isthmus.commands import running

    how = training_fields(processes, shard, micro_batch, gradient_checkpointing, compile_layers)
    how |= engine_fields(engine, engine_option, retries, timeout)
    how |= {"trackers": tuple(dict.fromkeys(tracker or ()))}
    resources = running.resources(workers, device, checkpoint_every, **how)
    run = running.Run(store, resources, as_json, as_json or quiet, remote)
    running.run_study(study, tuple(changes or ()), run, examples)
