/* Loaded before lettre (LD_PRELOAD): sockets send small writes at once, which lettre has no setting for. Without it, each
   mail waits for a delayed acknowledgement, and nothing else would be measured on loopback. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return real(fd, address, length);
}
