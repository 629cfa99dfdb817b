/* The module's side of module.h: functions of the engine under their own names, which call the
   engine that has loaded the module. */
#include "engine/backends/module.h"
#include "engine/core/plan.h"

#include <stdatomic.h>
#include <stdio.h>

enum { MESSAGE_SIZE = 1024 };

/* The only state of a module. It is set when the module is loaded, always to the same table. */
static _Atomic(const dv_module_host *) engine;

static const dv_module_host *host(void)
{
    return atomic_load_explicit(&engine, memory_order_relaxed);
}

bool dv__module_bind(const dv_module_host *table)
{
    if (table->abi != DV_MODULE_ABI)
        return false;
    atomic_store_explicit(&engine, table, memory_order_relaxed);
    return true;
}

const char *dv_error_message(void)
{
    return host()->error_message();
}

dv_status dv_fail(dv_status code, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return host()->fail(code, text);
}

dv_status dv_fail_within(dv_status code, const char *format, ...)
{
    char prefix[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return dv_fail(code, "%s: %s", prefix, dv_error_message());
}

void dv_log_write(const dv_log *log, dv_log_level level, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    host()->log(log, level, text);
}

void dv_planner_save(dv_planner *planner, size_t bytes)
{
    host()->planner_save(planner, bytes);
}

void dv_planner_scratch(dv_planner *planner, size_t bytes)
{
    host()->planner_scratch(planner, bytes);
}

bool dv_planner_set_layout(dv_planner *planner, int i, dv_layout *layout)
{
    return host()->planner_set_layout(planner, i, layout);
}

const dv_layout *dv_planner_layout(const dv_planner *planner, int i)
{
    return host()->planner_layout(planner, i);
}
