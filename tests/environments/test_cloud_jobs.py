"""Jobs for clusters and clouds fit their services' schemas and start a command that the course and Accelerate take.

The services' libraries are no part of the course: uv installs each for one check, COURSE_TEST_SLOW=1 asks for that.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from course_utils.cli import app

ROOT = Path(__file__).resolve().parents[2]
JOBS, CONFIGS = ROOT / "deploy" / "cloud", ROOT / "deploy" / "accelerate"
FILES = {path.name for path in JOBS.iterdir()} - {"README.md"}

# The library that knows a service's requests, and what it says to the job on standard input. One place for versions.
CHECKS = {
    "sagemaker.json": (
        "botocore==1.44.5",
        """
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

service = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
shape = service.operation_model("CreateTrainingJob").input_shape
report = ParamValidator().validate(job, shape)
known = shape.members["ResourceConfig"].members["InstanceType"].enum
assert job["ResourceConfig"]["InstanceType"] in known
sys.exit(report.generate_report() or 0)
""",
    ),
    "kubeflow-trainjob.yaml": (
        "kubeflow-trainer-api==2.3.0",
        """
from kubeflow_trainer_api.models import TrainerV1alpha1TrainJob

known = TrainerV1alpha1TrainJob.from_dict(job).to_dict()  # it drops what it does not know, so nothing may be missing
assert known == job, f"{job} holds more than {known}"
""",
    ),
    "vertex.yaml": (
        "google-cloud-aiplatform==2.7.0",
        """
from google.cloud.aiplatform_v1 import CustomJobSpec
from google.protobuf import json_format

json_format.ParseDict(job, CustomJobSpec()._pb)
""",
    ),
    "azureml.yaml": (
        "azure-ai-ml==1.35.2",
        """
import pathlib, tempfile
from azure.ai.ml import load_job

path = pathlib.Path(tempfile.mkdtemp()) / "job.yaml"
path.write_text(json.dumps(job))
loaded = load_job(path)
assert loaded.outputs["artifacts"].mode == "rw_mount" and loaded.distribution.process_count_per_instance == 1
""",
    ),
}
# What makes each of these jobs wrong.
FAULTS = {
    "sagemaker.json": lambda job: job["ResourceConfig"].update(InstanceCount="one"),
    "kubeflow-trainjob.yaml": lambda job: job["spec"]["trainer"].update(numberOfNodes=2),
    "vertex.yaml": lambda job: job["workerPoolSpecs"][0]["machineSpec"].update(acceleratorType="NVIDIA_ABACUS"),
    "azureml.yaml": lambda job: job["outputs"]["artifacts"].update(mode="rw_mounted"),
}
# What the service sets on the second of two machines.
SETS = {
    "kubeflow-trainjob.yaml": {"NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "first", "MASTER_PORT": "29400"},
    "azureml.yaml": {"WORLD_SIZE": "2", "NODE_RANK": "1", "MASTER_ADDR": "first", "MASTER_PORT": "29400"},
    "slurm.sbatch": {
        "JOB_ID": "7",
        "JOB_NUM_NODES": "2",
        "JOB_NODELIST": "n[1-2]",
        "NODEID": "1",
        "CPUS_PER_TASK": "32",
    },
}
PREFIXES = {"kubeflow-trainjob.yaml": "PET_", "slurm.sbatch": "SLURM_"}
# SLURM's own programs, and the container's: they start what they are given.
STUBS = {
    "scontrol": 'printf "first\\nsecond\\n"',
    "srun": 'while [ "$1" != "${1#--}" ]; do echo "$1" >> "$FOUND.srun"; shift; done; "$@"',
    "apptainer": 'while [ "$1" != bash ]; do shift; done; "$@"',
    "course": 'printf "%s\\n" "$@" > "$FOUND"',
}
# Options of ``sbatch``; ``test_slurm`` asks SLURM itself.
SBATCH = {"job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "output"}


def read(name):
    return yaml.safe_load((JOBS / name).read_text())


def command_of(name):
    """The command of a job, as its container gets it."""
    if name == "slurm.sbatch":
        return ["bash", str(JOBS / name)]
    job = read(name)
    if name == "sagemaker.json":
        algorithm = job["AlgorithmSpecification"]
        return algorithm["ContainerEntrypoint"] + algorithm["ContainerArguments"]
    if name == "vertex.yaml":
        container = job["workerPoolSpecs"][0]["containerSpec"]
        return container["command"] + container["args"]
    if name == "azureml.yaml":
        return ["bash", "-c", job["command"].replace("${{outputs.artifacts}}", "/mnt/artifacts")]
    return job["spec"]["trainer"]["command"] + job["spec"]["trainer"]["args"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("name", sorted(FILES))
def test_the_command_is_one_that_the_course_and_accelerate_take(name, tmp_path):
    for program, code in STUBS.items():
        (tmp_path / program).write_text(f"#!/usr/bin/env bash\n{code}\n")
        (tmp_path / program).chmod(0o755)
    variables = {PREFIXES.get(name, "") + key: value for key, value in SETS.get(name, {}).items()}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FOUND": str(tmp_path / "found")} | variables
    done = subprocess.run(command_of(name), env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = (tmp_path / "found").read_text().splitlines()
    assert found[0] == "train"
    if name == "slurm.sbatch":
        assert "--cpus-per-task=32" in (tmp_path / "found.srun").read_text().splitlines()
    options = typer.main.get_command(app).commands["train"].make_context("train", found[1:]).params
    assert (options["profile"], options["launch"], options["config"]) == ("multi_gpu", "accelerate", "fsdp")
    file = str(CONFIGS / f"{options['config']}.yaml")
    given = ["--config_file", file, *(options["options"] or ["--num_processes", "4"]), "--module", "a.module"]
    launch, *_ = _validate_launch_command(launch_command_parser().parse_args(given))
    if name in SETS:
        assert (launch.num_machines, launch.machine_rank, launch.num_processes) == (2, 1, 8)
        assert launch.main_process_ip == "first"
        assert launch.main_process_port > 20_000


def test_sbatch_knows_the_options_and_bash_the_script():
    text = (JOBS / "slurm.sbatch").read_text()
    assert set(re.findall(r"^#SBATCH --([a-z-]+)=\S+$", text, re.MULTILINE)) == SBATCH
    assert text.count("#SBATCH") == len(SBATCH)
    assert subprocess.run(["bash", "-n", JOBS / "slurm.sbatch"]).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_a_job_fits_the_services_own_library_and_a_wrong_one_does_not(name):
    library, check = CHECKS[name]
    job = read(name)
    command = [Path(sys.executable).parent / "uv", "run", "--quiet", "--isolated", "--no-project"]
    command += [
        "--with",
        library,
        "python",
        "-W",
        "ignore",
        "-c",
        f"import json, sys\njob = json.load(sys.stdin)\n{check}",
    ]

    def run(job):
        return subprocess.run(command, input=json.dumps(job), cwd="/", capture_output=True, text=True, timeout=280)

    fits = run(job)
    assert fits.returncode == 0, fits.stdout + fits.stderr
    FAULTS[name](job)
    assert run(job).returncode != 0


def test_every_file_is_checked_and_named_where_it_is_explained():
    assert CHECKS.keys() | {"slurm.sbatch"} == FILES
    text = (JOBS / "README.md").read_text()
    assert len(text.splitlines()) <= 40
    for name in FILES:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        places = set(re.findall(r"<([A-Z_]+)>", (JOBS / name).read_text()))
        assert places <= set(re.findall(r"`([A-Z_]+)`", row)), f"README.md does not say what to fill into {name}"
