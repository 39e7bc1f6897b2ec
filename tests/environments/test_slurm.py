"""SLURM itself plans the job: its controller, from Debian's packages, knows two machines with four GPUs each.

Nothing is installed and no job starts: ``sbatch --test-only`` asks when and where it would. COURSE_TEST_SLOW=1 asks for
this test, which downloads 3 MB and takes seconds.
"""

import getpass
import os
import shutil
import socket
import subprocess

import pytest

from course_utils.files import PROJECT
from course_utils.processes import choose_port
from tests.waiting import comes_true

JOB = PROJECT / "deploy" / "cloud" / "slurm.sbatch"
PACKAGES = ("slurm-client", "slurmctld", "slurm-wlm-basic-plugins")
CLUSTER = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
AuthType=auth/none
CredType=cred/none
PluginDir={plugins}
StateSaveLocation={state}
SlurmctldPidFile={state}/pid
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ProctrackType=proctrack/linuxproc
SuspendProgram=/bin/true
ResumeProgram=/bin/true
SuspendTime=600
GresTypes=gpu
NodeName=n[1-2] Sockets=2 CoresPerSocket=16 ThreadsPerCore=2 State=CLOUD
PartitionName=all Nodes=ALL Default=YES MaxTime=24:00:00
"""


@pytest.fixture
def slurm(tmp_path):
    """Call a program of SLURM's, which reaches a running controller; returns exit status and what it says."""
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=tmp_path, check=True, capture_output=True, timeout=200)
    for package in tmp_path.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, tmp_path], check=True)
    (plugins,) = tmp_path.glob("usr/lib/*/slurm-wlm")
    (state := tmp_path / "state").mkdir()
    names = {"host": socket.gethostname(), "port": choose_port("127.0.0.1"), "user": getpass.getuser()}
    (tmp_path / "slurm.conf").write_text(CLUSTER.format(plugins=plugins, state=state, **names))
    environment = os.environ | {"SLURM_CONF": str(tmp_path / "slurm.conf"), "LD_LIBRARY_PATH": str(plugins)}

    def call(program, *arguments):
        command = [tmp_path / "usr" / "bin" / program, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    controller = [tmp_path / "usr" / "sbin" / "slurmctld-wlm", "-D"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(controller, env=environment, stderr=log) as running:
        try:
            assert comes_true(lambda: "UP" in call("scontrol", "ping")[1]), (tmp_path / "log").read_text()
            assert call("scontrol", "update", "NodeName=n[1-2]", "Gres=gpu:4")[0] == 0
            yield call
        finally:
            running.terminate()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="SLURM comes from Debian's packages")
def test_slurm_would_start_the_job_and_refuses_a_wrong_one(slurm, tmp_path):
    code, said = slurm("sbatch", "--test-only", JOB)
    assert code == 0, said
    assert "using 64 processors on nodes n[1-2]" in said
    unfit = "Requested node configuration is not available"
    text, wrong = JOB.read_text(), tmp_path / "wrong.sbatch"
    for old, new, reason in (
        ("--gpus-per-node=4", "--gpus-per-node=5", unfit),
        ("--nodes=2", "--nodes=3", unfit),
        ("--time=04:00:00", "--time=4hours", "Invalid --time specification"),
        ("--cpus-per-task=32", "--processors=32", "unrecognized option '--processors=32'"),
    ):
        wrong.write_text(text.replace(old, new))
        code, said = slurm("sbatch", "--test-only", wrong)
        assert code != 0, new
        assert reason in said
