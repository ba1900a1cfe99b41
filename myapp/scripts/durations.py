"""How long something took, as it is shown."""


def format_seconds(seconds: float) -> str:
    """Return a duration for people: `41 ms`, `2.5 s`, `3 min 20 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def format_whole_seconds(seconds: float) -> str:
    """Return a time that is still running, for people: `12 s`, `3 min 20 s`."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
