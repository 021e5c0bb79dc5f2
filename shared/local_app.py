"""Gradio apps that stay on this machine: loopback only, nothing reported, nothing left behind.

Gradio keeps what is uploaded in a folder; here it is a private one, removed when the app ends.
"""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
# Read by gradio when it is imported and when an app is built.
ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_ALLOWED_PATHS": "",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
FONTS = ["system-ui", "Segoe UI", "DejaVu Sans", "sans-serif"]
MONO = ["ui-monospace", "DejaVu Sans Mono", "monospace"]
FORGET_S = 300  # what gradio still holds after so long is deleted, also while the app runs
CSS = """
footer { display: none !important }
.gradio-container { max-width: 1280px !important; margin: 0 auto !important }
"""


@contextmanager
def opened(build: Callable[[], Any], port: int = 0, css: str = "") -> Iterator[str]:
    """Serve an app as long as the block lasts; then stop it and remove what it kept.

    Args:
        build: makes the `gradio.Blocks`; called when the private folder is in place.
        port: of 127.0.0.1; 0: any that is free.
        css: more style for its page.

    Yields:
        The URL of the app.
    """
    folder = Path(tempfile.mkdtemp(prefix="lost-and-found-app-"))  # readable by its owner alone
    settings = {**ENVIRONMENT, "GRADIO_TEMP_DIR": str(folder)}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    app = None
    try:
        import gradio  # here: it takes seconds, and reads the environment

        app = build()
        theme = gradio.themes.Default(font=FONTS, font_mono=MONO)
        _, url, _ = app.launch(
            server_name=HOST,
            server_port=port or free_port(),
            share=False,
            inbrowser=False,
            quiet=True,
            prevent_thread_lock=True,
            show_error=True,
            footer_links=[],
            enable_monitoring=False,
            run_history=False,
            ssr_mode=False,
            theme=theme,
            css=CSS + css,
        )
        yield url
    finally:
        if app is not None:
            app.close(verbose=False)
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run(build: Callable[[], Any], say: Callable[[str], None], port: int = 0, css: str = "") -> None:
    """Serve an app until Control-C, or until the kernel is interrupted.

    Args:
        build: makes the `gradio.Blocks`.
        say: is given a line that names the URL.
        port: of 127.0.0.1; 0: any that is free.
        css: more style for its page.
    """
    with opened(build, port, css) as url:
        say(f"Open {url} in a browser on this machine. It ends with Control-C.")
        try:
            while True:
                time.sleep(0.5)
        except KeyboardInterrupt:
            say("The app has ended; what it held of photos is removed.")


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
