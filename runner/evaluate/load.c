/* Reads how busy the machine is, and decides whether that has disturbed a measurement. */
#include "runner/evaluate/load.h"
#include "engine/base/clock.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static double read_own(void)
{
    struct rusage children;
    if (getrusage(RUSAGE_CHILDREN, &children) != 0)
        return dv_clock_processor();
    return dv_clock_processor() + seconds_of(children.ru_utime) + seconds_of(children.ru_stime);
}

/* The first line of the file counts ticks since the start: user, nice, system, idle, waiting for
   devices, two kinds of interrupts, and the time that a virtual machine's host gave to others. */
double dv_load_machine(const char *path)
{
    unsigned long long user, nice, system, idle, waiting, hard, soft, stolen = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    int count = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
                       &idle, &waiting, &hard, &soft, &stolen);
    fclose(file);
    if (count < 7)
        return 0;
    return (double)(user + nice + system + hard + soft + stolen) / (double)sysconf(_SC_CLK_TCK);
}

int dv_load_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1 ? (int)count : 1;
}

static void read_clocks(double clocks[3])
{
    clocks[0] = dv_clock();
    clocks[1] = read_own();
    clocks[2] = dv_load_machine("/proc/stat");
}

void dv_load_begin(dv_load *load)
{
    read_clocks(load->begun);
}

void dv_load_end(dv_load *load)
{
    double now[3];
    read_clocks(now);
    load->wall += now[0] - load->begun[0];
    load->own += now[1] - load->begun[1];
    load->machine += now[2] - load->begun[2];
}

bool dv_load_disturbs(const dv_load *load, const dv_load_use *use)
{
    int spare = use->processors > use->threads ? use->processors - use->threads : 0;
    double others = load->machine - load->own;
    bool waited = load->own < 0.9 * use->always * load->wall;
    return waited || others > (0.25 + 0.5 * spare) * load->wall + 0.05;
}
