"""What Windows does not have, for those who play it and those who read source text."""

from __future__ import annotations

import signal

OURS = (
    "threadx",
    "graphs",
    "nodes",
    "feeds",
    "vault",
    "reports",
    "record",
    "backtest",
    "providers",
    "prompts",
    "base",
)


def words(told: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(told.split())


HIDDEN = words("""
    fcntl pwd grp termios resource pty tty syslog crypt spwd nis curses readline posix _posixsubprocess
    _posixshmem uvloop
""")
"""Modules that Windows does not have."""

ON_WINDOWS = "SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN"

GONE = {
    "os": words("""
    fork forkpty register_at_fork killpg setsid getsid getuid geteuid getgid getegid getgroups setuid
    setgid seteuid setegid setreuid setregid getresuid getresgid initgroups getpgid getpgrp setpgid
    setpgrp getpriority setpriority nice uname sched_getaffinity sched_setaffinity sched_yield
    getloadavg ctermid ttyname openpty login_tty tcgetpgrp tcsetpgrp mkfifo mknod major minor makedev
    chown fchown lchown fchmod lchmod chroot fchdir sync fdatasync statvfs fstatvfs pathconf fpathconf
    sysconf confstr pread preadv pwrite pwritev readv writev sendfile posix_fallocate posix_fadvise
    posix_spawn posix_spawnp spawnlp spawnvp wait wait3 wait4 waitid WNOHANG WUNTRACED WIFEXITED
    WIFSIGNALED WEXITSTATUS WTERMSIG O_CLOEXEC O_NOFOLLOW O_DIRECTORY O_SYNC O_DSYNC O_NONBLOCK
    O_TMPFILE O_NOATIME memfd_create eventfd getxattr setxattr listxattr removexattr pidfd_open splice
    copy_file_range EX_OK EX_USAGE environb getenvb
"""),
    "signal": frozenset(
        name
        for name in dir(signal)
        if (name.startswith("SIG") and name not in words(ON_WINDOWS))
        or name in ("alarm", "setitimer", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "sigwait")
    ),
    "time": frozenset(("tzset", "clock_gettime", "clock_settime", "pthread_getcpuclockid")),
    "socket": frozenset(("AF_UNIX", "socketpair_unix", "SO_REUSEPORT")),
    "sys": frozenset(("abiflags", "getdlopenflags", "setdlopenflags")),
    "subprocess": frozenset(),
}
"""Names that modules do not have on Windows."""
