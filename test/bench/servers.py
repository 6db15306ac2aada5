"""The servers that are compared, and how each is started from its templates.

Takes a Setting; gives servers that answer on two ports of 127.0.0.1, for http and https, and whose
process leads a session of its own.
"""

import collections
import contextlib
import http.client
import importlib.util
import os
import re
import shutil
import socket
import ssl
import string
import subprocess
import time

from . import TEMPLATES, Failure
from .processes import start, stop

ADDRESS = "127.0.0.1"

# What all servers are made from, and what their templates ask for. In the folder shared there are copies of
# what they load, which every user may read: conf, mod_hello.so, mod_quick.so, passwords; and a session.key, and
# tls with the certificate and its key. They drop to the user, who has a group of that name.
Setting = collections.namedtuple("Setting", "shared httpd modules php user")


def fill(template, values):
    return string.Template(template).substitute(values)


def free_ports():
    with socket.create_server((ADDRESS, 0)) as plain, socket.create_server((ADDRESS, 0)) as tls:
        return {"http": plain.getsockname()[1], "https": tls.getsockname()[1]}


class Server:
    """A program that is started by a line, both it and the program's configuration being templates. Once
    it is launched, it has a setting, a process, a folder and ports."""

    line = ""
    configuration = ""
    # Where it would drop root by itself, it would no longer end with this process.
    begins_as_user = True
    # Options with which it neither adds nor ends processes.
    steady = ()

    def __init__(self, name):
        self.name = name
        self.templates = [name]
        self.options = []
        self.mpm = None

    def lacks(self, setting):
        """What has to be installed before it can run, or None."""
        return None if shutil.which(self.name) else self.name

    def launch(self, setting, wrapper=()):
        self.setting = setting
        self.ports = free_ports()
        self.folder = setting.shared / f"{self.name}.{time.monotonic_ns()}"
        for template in self.templates:
            shutil.copytree(TEMPLATES / template, self.folder, dirs_exist_ok=True)
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.folder.chmod(0o711)
        pair = self.folder / "server.pem"
        pair.touch(0o600)
        pair.write_text("".join((setting.shared / "tls" / name).read_text() for name in ("server.crt", "server.key")))
        values = {**setting._asdict(), **self.ports, "folder": self.folder, "address": ADDRESS, "mpm": self.mpm}
        configuration = self.folder / self.configuration
        configuration.write_text(fill(configuration.read_text(), values))
        argv = [*wrapper, *fill(self.line, values).split(), *self.options]
        user = setting.user if os.geteuid() == 0 and (self.begins_as_user or wrapper) else None
        for path in (self.folder, *self.folder.rglob("*")) if user else ():
            shutil.chown(path, user, user)
        # To append is to begin anew where empty_logs has cut it off.
        with open(self.folder / "output", "ab") as output:
            self.process = start(argv, user, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder)

    def start(self, setting):
        for _ in range(5):
            self.launch(setting)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    return [self.fetch(scheme, "/") for scheme in self.ports]
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
            stop(self.process)
            # Another program was faster to take one of its ports.
            if "in use" not in self.said():
                break
        raise Failure(f"{self.name} does not answer; it says:\n{self.said()}")

    def tls_context(self):
        """That of a client which verifies the certificate."""
        context = ssl.create_default_context(cafile=self.setting.shared / "tls/server.crt")
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def connection(self, scheme):
        if scheme == "http":
            return http.client.HTTPConnection(ADDRESS, self.ports[scheme], timeout=60)
        return http.client.HTTPSConnection(ADDRESS, self.ports[scheme], timeout=60, context=self.tls_context())

    def fetch(self, scheme, path, headers=(), method="GET", body=None):
        """One answer: status, headers and body."""
        with contextlib.closing(self.connection(scheme)) as connection:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def said(self):
        """The end of it: an access log may be there too."""
        logs = (self.folder / name for name in ("output", "error.log"))
        return "".join(path.read_text(errors="replace")[-4000:] for path in logs if path.is_file())

    def empty_logs(self):
        """An hour's would fill gigabytes."""
        for name in ("access.log", "output"):
            with contextlib.suppress(FileNotFoundError):
                os.truncate(self.folder / name, 0)


class Nginx(Server):
    configuration = "nginx.conf"
    line = "nginx -p $folder -e $folder/error.log -c $folder/nginx.conf"


class Haproxy(Server):
    configuration = "haproxy.cfg"
    line = "haproxy -db -f $folder/haproxy.cfg"


class Caddy(Server):
    """Its sessions are resumed by tickets alone; Go has no cache of them."""

    configuration = "Caddyfile"
    line = "env HOME=$folder caddy run --adapter caddyfile --config $folder/Caddyfile"


class Httpd(Server):
    """httpd by conf/httpd.conf, with a folder of templates: server.conf loads the modules, host.conf
    stands in both virtual hosts."""

    configuration = "bench.conf"
    line = "$httpd -f $folder/bench.conf -DFOREGROUND"
    begins_as_user = False
    steady = ("-DBENCH_STEADY",)
    package = ""

    def __init__(self, name, template, mpm="event", *options):
        super().__init__(name)
        self.templates = ["httpd", template]
        self.options = list(options)
        self.mpm = mpm

    def lacks(self, setting):
        conf = "".join(path.read_text() for path in (TEMPLATES / self.templates[-1]).glob("server.conf"))
        modules = re.findall(r"\{HELLO_MODULES\}/(.+)\.so", conf)
        missing = [module for module in modules if not (setting.modules / f"{module}.so").exists()]
        return (self.package or f"httpd's {missing[0]}") if missing else None


class Php(Httpd):
    """mod_php, which is PHP's shortest way in httpd, and wants prefork."""

    def lacks(self, setting):
        return None if setting.php else "libapache2-mod-php"


class Flask(Httpd):
    """The tutorial's own application and its WSGI lines."""

    package = "libapache2-mod-wsgi-py3 and python3-flask"

    def lacks(self, setting):
        return super().lacks(setting) if importlib.util.find_spec("flask") else self.package
