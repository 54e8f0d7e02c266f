/* Ends the process, or fails, at the k-th call that changes files below a folder. For LD_PRELOAD; see interrupted.py.

Calls that count: open for writing, write, pwrite, writev, fsync, ftruncate, rename, unlink, mkdir. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static long calls, fatal;
static int failure; /* errno of the call at `fatal` and of all later ones; 0: SIGKILL */

void fail_arm(const char *below, long at, int error) {
    strncpy(folder, below, PATH_MAX - 1);
    calls = 0; fatal = at; failure = error;
}
long fail_count(void) { return calls; }

static int below(const char *path) {
    char full[PATH_MAX];
    if (!folder[0] || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(full, sizeof full)) return 0;
        strncat(full, "/", PATH_MAX - strlen(full) - 1);
        strncat(full, path, PATH_MAX - strlen(full) - 1);
        path = full;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}
static int fd_below(int fd) {
    char link[64], path[PATH_MAX];
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}
/* Whether a call fails: on a full disk those that need space, without permission those that ask for it. */
enum { SPACE = 1, PERMISSION = 2 };
static int hit(int needs) {
    calls++;
    if (!fatal || calls < fatal) return 0;
    if (!failure) kill(getpid(), SIGKILL);
    if (!(needs & (failure == ENOSPC ? SPACE : PERMISSION))) return 0;
    errno = failure;
    return 1;
}
#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR))
#define MODE mode_t mode = 0; if (flags & O_CREAT) { va_list list; va_start(list, flags); \
    mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { REAL(open); MODE
    if (WRITES(flags) && below(path) && hit(SPACE | PERMISSION)) return -1; return real(path, flags, mode); }
int open64(const char *path, int flags, ...) { REAL(open64); MODE
    if (WRITES(flags) && below(path) && hit(SPACE | PERMISSION)) return -1; return real(path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { REAL(openat); MODE
    if (WRITES(flags) && below(path) && hit(SPACE | PERMISSION)) return -1; return real(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { REAL(openat64); MODE
    if (WRITES(flags) && below(path) && hit(SPACE | PERMISSION)) return -1; return real(at, path, flags, mode); }
ssize_t write(int fd, const void *data, size_t size) { REAL(write);
    if (fd_below(fd) && hit(SPACE)) return -1; return real(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { REAL(pwrite);
    if (fd_below(fd) && hit(SPACE)) return -1; return real(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { REAL(pwrite64);
    if (fd_below(fd) && hit(SPACE)) return -1; return real(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { REAL(writev);
    if (fd_below(fd) && hit(SPACE)) return -1; return real(fd, parts, count); }
int fsync(int fd) { REAL(fsync); if (fd_below(fd) && hit(0)) return -1; return real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); if (fd_below(fd) && hit(0)) return -1; return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); if (fd_below(fd) && hit(0)) return -1; return real(fd, size); }
int rename(const char *from, const char *to) { REAL(rename); if (below(to) && hit(PERMISSION)) return -1; return real(from, to); }
int unlink(const char *path) { REAL(unlink); if (below(path) && hit(PERMISSION)) return -1; return real(path); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); if (below(path) && hit(SPACE | PERMISSION)) return -1; return real(path, mode); }
