/* Declarations shared by the two files of the network. */
#ifndef DV_LAYERS_NETWORK_INTERNAL_H
#define DV_LAYERS_NETWORK_INTERNAL_H

#include "engine/layers/network.h"

void dv__network_host_free(dv_network *network);

#endif
