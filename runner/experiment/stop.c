/* Catches the signals that ask a training to save and to end. */
#include "runner/experiment/stop.h"

#include <stddef.h>

const int dv_stop_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGXFSZ, 0};

volatile sig_atomic_t dv_stop_request;

bool dv_stop_is_signal(int number)
{
    for (const int *one = dv_stop_signals; *one != 0; one++) {
        if (*one == number)
            return true;
    }
    return false;
}

bool dv_stop_heeds(int number)
{
    struct sigaction now;
    bool may_be_ignored = number == SIGHUP || number == SIGXFSZ;
    return !may_be_ignored || sigaction(number, NULL, &now) != 0 || now.sa_handler != SIG_IGN;
}

static void request_stop(int signal_number)
{
    dv_stop_request = signal_number;
}

/* Each write beyond the limit brings SIGXFSZ, also those of what is saved: its handler stays. */
static void catch (int number)
{
    struct sigaction action = {.sa_handler = request_stop,
                               .sa_flags =
                                   SA_RESTART | (number != SIGXFSZ ? (int)SA_RESETHAND : 0)};
    if (dv_stop_heeds(number))
        sigaction(number, &action, NULL);
}

void dv_stop_prepare(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    catch (SIGXFSZ);
}

void dv_stop_catch(void)
{
    for (const int *number = dv_stop_signals; *number != 0; number++)
        catch (*number);
}
