"""The ``course`` command. Commands import their libraries when they run, so that ``course --help`` is fast."""

import json
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from errno import EDQUOT, ENOSPC
from functools import partial, wraps
from inspect import Signature, signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from typer.core import TyperGroup

from course_utils.artifacts import PARAMETERS, STAGES, Course, notebook_of, open_course
from course_utils.errors import CourseError, DataError
from course_utils.files import PROJECT, read_json, read_jsonl, resolve
from course_utils.profiles import Method, Preset, Tracker
from course_utils.tables import without_control

FULL = "; free some space, then run the same command again (`make course` resumes)"


class CourseCommands(TyperGroup):
    """Common behaviour of all commands: two signals act as Ctrl-C, and expected errors end with a message and status 2.

    SIGTERM stops a run in the background, where shells make programs ignore Ctrl-C. SIGHUP comes when a terminal is
    closed, unless nohup has it ignored. Expected errors are those of the course, and the system's errors about a path
    or a full disk.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        stops = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
        before = {each: signal.signal(each, signal.default_int_handler) for each in stops}
        try:
            return super().invoke(ctx)
        except (CourseError, OSError) as error:
            advice = ""
            if isinstance(error, OSError):
                is_full = error.errno in (ENOSPC, EDQUOT)
                if not (is_full or error.filename):  # not about a path: a closed pipe, the network
                    raise
                advice = FULL if is_full else "; name another place, or change its permissions"
            said = without_control(f"{type(error).__name__}: {error}{advice}", keep="\n")
            typer.secho(said, fg=typer.colors.RED, err=True)
            raise typer.Exit(2) from None
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


app = typer.Typer(
    cls=CourseCommands,
    help="Fine-tune a small language model: run the course, or a part of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

Profile = Annotated[str, typer.Option(help="Sizes for this machine: smoke, laptop, gpu_8gb ... (see profiles.py).")]
Data = Annotated[str, typer.Option(help="Dataset in Spider's layout; default: the project's data/.")]
Model = Annotated[str, typer.Option(help="Base model, a folder or a Hub id; default: the profile's.")]
Artifacts = Annotated[str, typer.Option(help="Where results go; default: the project's artifacts/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def open_here(profile: Profile = "smoke", data: Data = "", model: Model = "", artifacts: Artifacts = "") -> Course:
    """Open the course that the options name; relative paths start at the current folder."""
    return open_course(profile, str(path_here(data, "data")), model_here(model), str(path_here(artifacts, "artifacts")))


def with_course(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command: add the options of ``open_here``, and pass the course that they open as first argument."""
    shared, own = (signature(each).parameters for each in (open_here, command))

    @wraps(command)
    def opened(**given: Any) -> None:
        course = open_here(**{name: given.pop(name) for name in shared})
        command(course, **given)

    opened.__signature__ = Signature([*list(own.values())[1:], *shared.values()])  # type: ignore[attr-defined]
    return opened


@app.command()
@with_course
def run(
    course: Course,
    first: Annotated[str, typer.Option("--from", metavar="STAGE", help="Start at this stage.")] = "",
    until: Annotated[str, typer.Option(metavar="STAGE", help="End after this stage.")] = STAGES[-1],
    cells: Annotated[Literal["all", "retrain"], typer.Option(help="All, or those to retrain on new data.")] = "all",
    notebooks: Annotated[str, typer.Option(help="Folder of the notebooks; default: the project's.")] = "",
) -> None:
    """Run the six notebooks in order; resume if the last run stopped midway."""
    from course_utils.kernel import NotebookError
    from course_utils.runner import check_course, plan_stages, run_stages, write_report
    from course_utils.terminal import RunProgress, render_failure, render_report

    console = Console()
    progress = RunProgress(console)
    folder = path_here(notebooks, "notebooks")
    check_course(course, folder)
    stages = plan_stages(course, first, until)
    if stages[0] != STAGES[0]:
        console.print(f"Starts at {notebook_of(stages[0])}: what comes before is done.")
    given = {name: value for name, value in course.parameters.items() if value != PARAMETERS[name]}
    chosen = [f"{name}={shlex.quote(value.replace('$', '$$'))}" for name, value in given.items()]  # make reads $$ as $
    resume = " ".join(["make course", *chosen])
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    try:
        with progress.bars:
            seconds = run_stages(course, stages, progress, folder, "" if cells == "all" else cells)
    except NotebookError as error:
        Console(stderr=True).print(render_failure(error))
        say(f"The executed copy: {course.root / 'notebooks' / error.notebook}")
        say(f"Once it is mended, `{resume}` resumes at this notebook.")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        say(f"Stopped; `{resume}` resumes at the notebook that was running.")
        raise typer.Exit(130) from None
    if len(seconds) == len(STAGES):
        report = write_report(course, seconds)
        console.print(render_report(report))
        say(f"All {len(report['results'])} results: {course.root / 'report.json'}")


@app.command()
@with_course
def train(
    course: Course,
    preset: Annotated[Preset | None, typer.Option(help="Rank, learning rate, epochs and batch for new rows.")] = None,
    method: Annotated[Method | None, typer.Option(help="Weights to train; default: the profile's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="IA3 wants about ten times LoRA's, full a tenth.")] = None,
    track: Annotated[Tracker | None, typer.Option(help="Experiment tracker that records the run.")] = None,
    launch: Annotated[Literal["", "accelerate"], typer.Option(help="Train in several processes at once.")] = "",
    config: Annotated[str, typer.Option(help="How they share work: ddp, fsdp, zero2, zero3 or a file.")] = "fsdp",
    options: Annotated[list[str] | None, typer.Argument(help="After --, options of accelerate launch.")] = None,
) -> None:
    """Train on the rows that notebook 2 prepared, as notebook 3 does; notebook 4 can evaluate the result."""
    from course_utils.training.sft import train_stage

    if options and not launch:
        raise typer.BadParameter("options of accelerate launch come with --launch accelerate")
    chosen: dict[str, Any] = {"method": method, "learning_rate": learning_rate, "track": track}
    profile = course.profile.with_preset(preset) if preset else course.profile
    profile = replace(profile, **{name: value for name, value in chosen.items() if value is not None})
    result = train_stage(replace(course, profile=profile), config if launch else "", options or ())
    found = result and result.diagnosis
    typer.echo(f"{found.verdict}: {found.evidence}. To do: {found.fix}." if found else "See the first machine.")


@app.command()
@with_course
def doctor(course: Course) -> None:
    """Check this machine and installation, and say how to fix each problem; exit status 1 on an error."""
    from course_utils.doctor import examine
    from course_utils.finding import findings_table

    findings = examine(course)
    Console().print(findings_table(findings))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
@with_course
def predict(
    course: Course,
    asked: Annotated[str, typer.Argument(metavar="WHAT", help="Folder, Hub id, .gguf file, or URL of a server.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File of predictions, new or unfinished.")],
    adapter: Annotated[Path | None, typer.Option(help="Folder of an adapter on the model.")] = None,
    served_as: Annotated[str, typer.Option(help="What the server calls the model.")] = "course",
    prompt: Annotated[Literal["chat", "plain"], typer.Option(help="With the chat template or without.")] = "chat",
    examples: Annotated[int, typer.Option(min=0, help="Training rows to show, those most like each question.")] = 0,
    split: Annotated[Literal["validation", "test"], typer.Option(help="Rows that notebook 2 prepared.")] = "test",
    first: Annotated[int | None, typer.Option(min=1, help="Ask only the first rows, this many; default: all.")] = None,
) -> None:
    """Ask any model, and write its predictions; rows that OUT already answers are kept."""
    from course_utils.deployment import context_length, start_model_server
    from course_utils.evaluation.predictions import make_prompts, predict_file
    from course_utils.models import open_engine
    from course_utils.tasks import text_to_sql

    def serve_file(gguf: Path) -> str:  # the server ends with this process
        return start_model_server(gguf, context=context_length(course.profile)).url

    parts = {part: read_jsonl(course.output("data", f"{part}.jsonl")) for part in ("train", split)}
    if empty := [part for part, found in parts.items() if not found]:
        raise DataError(f"{course.folder('data')}: no {' and '.join(empty)} rows; add some, run {notebook_of('data')}")
    train, rows = parts.values()
    task = text_to_sql(read_json(course.output("data", "schemas.json")))
    prompts = make_prompts(rows[:first], task, plain=prompt == "plain", train=train, n_examples=examples)
    name = asked if asked.endswith(".gguf") else model_here(asked)
    engine = open_engine(name, course.profile, adapter, served_as, serve_file)
    n_kept = predict_file(out, rows[:first], prompts, task, engine)
    typer.echo(f"{out}: {len(prompts)} predictions, {n_kept} of them from before; `course evaluate {out}` scores them.")


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="Predictions: JSON lines with id, db_id, question, query, predicted.")],
    data: Data = "",
    artifacts: Artifacts = "",
    instances: Annotated[int, typer.Option(min=1, help="Try right queries on so many instances of a database.")] = 1,
    raw: Annotated[bool, typer.Option("--raw", help="Extract the query from a reply, as from a fence.")] = False,
    skip_bad_gold: Annotated[bool, typer.Option("--skip-bad-gold", help="Leave out rows whose gold fails.")] = False,
    clauses: Annotated[bool, typer.Option("--clauses", help="Compare the queries clause by clause too.")] = False,
    tickets: Annotated[bool, typer.Option("--tickets", help="Score tickets: rows with label and priority.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score a file of predictions from any source by executing the queries; rows missing from it are not counted."""
    from course_utils.evaluation.predictions import read_predictions
    from course_utils.terminal import render_scores

    if tickets:
        from course_utils.evaluation.tickets import TICKET_FIELDS, score_tickets, tickets_table

        scores, render = score_tickets(read_predictions(file, TICKET_FIELDS)), tickets_table
    else:
        from course_utils.evaluation.scoring import score_predictions

        dataset, cache = path_here(data, "data"), path_here(artifacts, "artifacts") / "instances.sqlite"
        rows = read_predictions(file, raw=raw)
        scored = score_predictions(
            rows, dataset, name=file.stem, instances=instances, cache=cache, skip_bad_gold=skip_bad_gold
        )
        scores, render = scored.summary(), render_scores
        if clauses:
            from course_utils.evaluation.clauses import component_match

            scores["component_match"] = component_match(rows)
    if as_json:
        typer.echo(json.dumps(scores, indent=2))
    else:
        Console().print(render(scores))


@app.command()
def gate(
    new: Annotated[Path, typer.Argument(help="Predictions of the new model, or its artifacts/<profile>.")],
    current: Annotated[Path, typer.Argument(help="The same of the model that serves now.")],
    data: Data = "",
    margin: Annotated[float, typer.Option(min=0, max=1, help="Accuracy that may be lost, from 0 to 1.")] = 0.02,
    as_json: AsJson = False,
) -> None:
    """Check a new model's accuracy, forgetting, safety and latency; exit status 1 refuses it."""
    from course_utils.evaluation.gate import read_candidate, run_gate
    from course_utils.tables import text_table

    candidate, present = (read_candidate(each, path_here(data, "data")) for each in (new, current))
    checks = run_gate(candidate, present, margin)
    passed = all(check.is_open for check in checks)
    if as_json:
        typer.echo(json.dumps({"passed": passed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        rows = [(check.name, check.decision, check.reason) for check in checks]
        Console().print(text_table(("check", "decision", "why"), rows, "passed" if passed else "refused"))
    raise typer.Exit(not passed)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset in a layout that the course knows.")],
    as_json: AsJson = False,
    fix: Annotated[str, typer.Option(metavar="OUT", help="Write a cleaned copy to this new folder.")] = "",
    profile: Annotated[str, typer.Option(help="Count tokens by this profile's model; '' counts none.")] = "smoke",
    fail_on: Annotated[Literal["error", "warning", "note"], typer.Option(help="Least severity for exit 1.")] = "error",
    engine: Annotated[Literal["local", "spark"], typer.Option(help="Check rows here or on Spark.")] = "local",
) -> None:
    """Check every row of a dataset; with --fix, also write a cleaned copy and set bad rows aside."""
    from course_utils.data.validation.repair import repair_dataset
    from course_utils.data.validation.validate import ValidationOptions, validate_dataset

    with TemporaryDirectory() as build_in:
        options = ValidationOptions(course=open_course(profile) if profile else None, engine=engine)
        repair = repair_dataset(folder, Path(fix), options) if fix else None
        report = validate_dataset(folder, Path(build_in), options)
    if as_json:
        typer.echo(json.dumps(report.to_json() | ({"fixed": asdict(repair)} if repair else {}), indent=2))
    else:
        Console().print(report, soft_wrap=True)
        typer.echo(str(repair or ""), nl=repair is not None)
    if report.at_least(fail_on):
        raise typer.Exit(1)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the files.")],
    service: Annotated[str, typer.Option("--for", metavar="SERVICE", help="openai or together.")],
    data: Data = "",
    epochs: Annotated[int, typer.Option(min=1, help="How often the service reads every row, for the price.")] = 3,
) -> None:
    """Write the rows in the format of a fine-tuning service, and show its price; nothing is uploaded."""
    from course_utils.data.services import export_rows

    with TemporaryDirectory() as build_in:
        table = export_rows(path_here(data, "data"), out, service, Path(build_in), epochs)
    Console().print(table)


@app.command()
def audit(file: Annotated[Path, typer.Argument(help="Audit log of a gateway: COURSE_AUDIT_FILE.")]) -> None:
    """Verify that nobody has changed or removed a line of an audit log."""
    from course_utils.deployment.gateway.logs import verify_audit

    n_lines, last = verify_audit(file)
    typer.echo(f"{file}: {n_lines} lines, none changed; the last hash is {last}, which is worth keeping elsewhere")


@app.command()
@with_course
def serve(
    course: Course,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
) -> None:
    """Serve the tuned model over HTTP until Ctrl-C."""
    from course_utils.deployment.stack import request_log, start_stack
    from course_utils.supervision import Servers

    with suppress(KeyboardInterrupt), Servers() as servers:
        _, gateway = start_stack(servers, course, host, port)
        typer.echo(f"Serving at {gateway.url}, each request logged in {request_log(course)}; Ctrl-C stops it.")
        servers.keep_running()


def path_here(path: str, default: str) -> Path:
    """Resolve a path from the current folder; if it is empty, the project's ``default``."""
    return resolve(path, Path.cwd()) if path else PROJECT / default


def model_here(model: str) -> str:
    """Resolve a model's folder from the current folder; a Hub id is unchanged."""
    is_folder = model.startswith((".", "/", "~")) or (model and Path(model).exists())
    return str(path_here(model, "")) if is_folder else model


if __name__ == "__main__":
    sys.exit(app())
