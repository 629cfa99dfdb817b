/* Finds the table by which the module of a backend makes batches. */
#include "frontends/batch/device.h"
#include "engine/backends/module.h"

const dv_device_batches *dv_device_batches_of(const dv_backend *backend)
{
    return dv_module_table(backend, "dv_module_batches");
}
