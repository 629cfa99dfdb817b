/* Catches the signals that ask the program to save and end. */
#include "runner/cli/stop.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t dv_stop_request;

dv_train_next dv_stop_next(void *user)
{
    (void)user;
    return dv_stop_request != 0 ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

/* Time of the latest request, whole seconds of the monotonic clock. */
static volatile sig_atomic_t request_time;

/* The calls are safe in a handler (signal-safety(7)). A signal that is raised here acts when the
   handler has returned. */
static void request_stop(int number)
{
    int error = errno;
    struct timespec now = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (number == dv_stop_request && number != SIGXFSZ && now.tv_sec > request_time + 1) {
        signal(number, SIG_DFL);
        raise(number);
    }
    dv_stop_request = number;
    request_time = (sig_atomic_t)now.tv_sec;
    errno = error;
}

static bool is_ignored(int number)
{
    struct sigaction now;
    bool may_be = number == SIGHUP || number == SIGXFSZ;
    return may_be && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* Each write beyond the limit raises SIGXFSZ, also while the state is saved. */
static void catch (int number)
{
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART};
    if (!is_ignored(number))
        sigaction(number, &action, NULL);
}

void dv_stop_prepare(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    catch (SIGXFSZ);
}

static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGXFSZ};

/* The last words of the program, for a handler. */
static const char *volatile last_words;

static void announce(int number)
{
    const char *text = last_words;
    (void)!write(STDERR_FILENO, text, strlen(text));
    signal(number, SIG_DFL);
    raise(number);
}

void dv_stop_announce(const char *text)
{
    struct sigaction action = {.sa_handler = announce};
    last_words = text;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i] != SIGXFSZ && !is_ignored(numbers[i]))
            sigaction(numbers[i], &action, NULL);
}

void dv_stop_catch(void)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        catch (numbers[i]);
}
