/* Creates, runs and drops oneDNN's primitives together with their memory objects. */
#include "engine/device/cpu_device.h"

#include <string.h>

dv_status dv__dnnl_failed(dnnl_status_t status, const char *call)
{
    static const char *const names[] = {"success",       "out of memory", "invalid arguments",
                                        "unimplemented", "iterator ends", "runtime error",
                                        "not required"};
    const char *name = (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
    return DV_FAIL(DV_EDEVICE, "oneDNN status %d (%s) from %.200s", (int)status, name, call);
}

static dv_status add_argument(const dv_cpu_device *device, const_dnnl_primitive_desc_t description,
                              int argument, dv_cpu_primitive *primitive)
{
    DV_ASSERT(primitive->count < DV_CPU_ARGUMENTS);
    dnnl_memory_desc_t md = dv_md_argument(description, argument);
    dnnl_exec_arg_t *slot = &primitive->arguments[primitive->count];
    slot->arg = argument;
    DV_DNNL(dnnl_memory_create(&slot->memory, &md, device->engine, DNNL_MEMORY_NONE));
    primitive->count++;
    return DV_OK;
}

static dv_status create(const dv_cpu_device *device, const_dnnl_primitive_desc_t description,
                        const int *arguments, int count, dv_cpu_primitive *primitive)
{
    DV_DNNL(dnnl_primitive_create(&primitive->primitive, description));
    for (int i = 0; i < count; i++)
        DV_TRY(add_argument(device, description, arguments[i], primitive));
    dnnl_memory_desc_t scratchpad = dv_md_argument(description, DNNL_ARG_SCRATCHPAD);
    primitive->scratchpad = dv_md_bytes(&scratchpad);
    return add_argument(device, description, DNNL_ARG_SCRATCHPAD, primitive);
}

dv_status dv_cpu_primitive_create(const dv_cpu_device *device,
                                  const_dnnl_primitive_desc_t description, const int *arguments,
                                  int count, dv_cpu_primitive *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = create(device, description, arguments, count, out);
    if (status != DV_OK)
        dv_cpu_primitive_drop(out);
    return status;
}

void dv_cpu_primitive_drop(dv_cpu_primitive *primitive)
{
    for (int i = 0; i < primitive->count; i++)
        dnnl_memory_destroy(primitive->arguments[i].memory);
    if (primitive->primitive != NULL)
        dnnl_primitive_destroy(primitive->primitive);
    memset(primitive, 0, sizeof *primitive);
}

/* Sets an argument's address if it has changed. Setting it makes oneDNN clear the gaps of blocked
   layouts, and a plan's addresses hardly ever change. */
static dv_status point_to(dv_cpu_primitive *primitive, int i, const void *address)
{
    if (primitive->addresses[i] == address)
        return DV_OK;
    DV_DNNL(dnnl_memory_set_data_handle(primitive->arguments[i].memory, (void *)address));
    primitive->addresses[i] = address;
    return DV_OK;
}

dv_status dv_cpu_primitive_run(const dv_cpu_device *device, dv_cpu_primitive *primitive,
                               const void *const *addresses, void *scratchpad)
{
    int last = primitive->count - 1;
    for (int i = 0; i < last; i++)
        DV_TRY(point_to(primitive, i, addresses[i]));
    if (primitive->scratchpad > 0)
        DV_TRY(point_to(primitive, last, scratchpad));
    DV_DNNL(dnnl_primitive_execute(primitive->primitive, device->stream, primitive->count,
                                   primitive->arguments));
    return DV_OK;
}

static dv_status create_and_free(const dv_cpu_device *device, dnnl_primitive_desc_t description,
                                 const int *arguments, int count, dv_cpu_primitive *out)
{
    dv_status status = dv_cpu_primitive_create(device, description, arguments, count, out);
    dnnl_primitive_desc_destroy(description);
    return status;
}

dv_status dv_cpu_matmul_create(const dv_cpu_device *device, const dv_dnnl_matmul *matmul,
                               dv_cpu_primitive *out)
{
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
    memset(out, 0, sizeof *out);
    dnnl_primitive_desc_t description;
    DV_TRY(dv__dnnl_matmul(device, matmul, &description));
    return create_and_free(device, description, arguments, matmul->has_bias ? 4 : 3, out);
}

dv_status dv_cpu_reorder_create(const dv_cpu_device *device, const dnnl_memory_desc_t *from,
                                const dnnl_memory_desc_t *to, dv_cpu_primitive *out)
{
    static const int arguments[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
    memset(out, 0, sizeof *out);
    if (dv_md_equal(from, to))
        return DV_OK;
    dnnl_primitive_desc_t description;
    DV_TRY(dv__dnnl_reorder(device, from, to, &description));
    return create_and_free(device, description, arguments, 2, out);
}
