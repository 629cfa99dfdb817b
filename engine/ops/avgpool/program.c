/* Mean pooling in a program. */
#include "engine/ops/maxpool/maxpool.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

dv_status dv__write_avgpool(dv_writer *writer, const dv_node *node)
{
    dv__write_pool(writer, node, DV_OPERATOR_AveragePool);
    return DV_OK;
}
