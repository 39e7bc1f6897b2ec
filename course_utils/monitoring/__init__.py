"""Watch the service: real traffic, drift, how long requests will take, and what to retrain on."""

from course_utils.monitoring.capacity import Serving, break_even_per_hour, simulate_latencies
from course_utils.monitoring.corrections import judge_corrections, rate_answers, send_feedback, write_version
from course_utils.monitoring.drift import (
    ALPHA,
    GREETING,
    choose_windows,
    find_alarms,
    mmd_test,
    read_words,
    rename_busiest_column,
    unknown_word_share,
)
from course_utils.monitoring.service import error_rate, latency_quantile_ms, read_readiness, send_traffic, start_service

__all__ = ["ALPHA", "GREETING", "Serving", "break_even_per_hour", "choose_windows", "error_rate"]
__all__ += ["find_alarms", "judge_corrections", "latency_quantile_ms", "mmd_test", "rate_answers"]
__all__ += ["read_readiness", "read_words", "rename_busiest_column", "send_feedback", "send_traffic"]
__all__ += ["simulate_latencies", "start_service", "unknown_word_share", "write_version"]
