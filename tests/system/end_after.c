/* end_after: preloaded into sentinels, ends the one that says a certain thing first.
 *
 * The file that END_AFTER names holds a message's name ("PREPARE", "FENCE", "ACCEPT", "LEARN"). Whoever has just sent
 * such a message removes the file and, where that succeeds, is killed: exactly one, with the message on its way. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef ssize_t send_function(int socket, const void *bytes, size_t length, int flags);

ssize_t send(int socket, const void *bytes, size_t length, int flags);

/* The wanted message as it stands on the wire, "" when none is wanted. */
static void read_wanted(const char *path, char wanted[64])
{
    char name[32] = "";
    wanted[0] = '\0';
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    ssize_t length = read(file, name, sizeof(name) - 1);
    close(file);
    if (length > 0)
        snprintf(wanted, 64, "$%zd\r\n%s\r\n", length, name);
}

ssize_t send(int socket, const void *bytes, size_t length, int flags)
{
    const char *path = getenv("END_AFTER");
    char wanted[64];
    send_function *next = (send_function *)dlsym(RTLD_NEXT, "send");
    ssize_t sent = next(socket, bytes, length, flags);
    read_wanted(path, wanted);
    if (sent > 0 && wanted[0] != '\0' && memmem(bytes, (size_t)sent, wanted, strlen(wanted)) != NULL &&
        unlink(path) == 0)
        raise(SIGKILL);
    return sent;
}
