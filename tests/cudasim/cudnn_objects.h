/* Handle, descriptors and errors of the simulated cuDNN. */
#ifndef CUDASIM_CUDNN_OBJECTS_H
#define CUDASIM_CUDNN_OBJECTS_H

#include <memory>

#include <cudnn.h>

struct cudnnContext {
    cudaStream_t stream = nullptr;
    /* Shared, because the work of a captured graph may outlive the handle. */
    std::shared_ptr<unsigned> runs = std::make_shared<unsigned>(0u);
};

struct cudnnTensorStruct {
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    int n, c, h, w; /* n is 0 until it is set */
};

struct cudnnFilterStruct {
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    int k, c, h, w; /* k is 0 until it is set */
};

struct cudnnConvolutionStruct {
    int padding[2], stride[2], dilation[2]; /* strides are 0 until they are set */
    int groups = 1;
    cudnnConvolutionMode_t mode;
    cudnnDataType_t compute;
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace cudasim
{
/* Returns the status and keeps the text for cudnnGetLastErrorString. */
__attribute__((format(printf, 2, 3))) cudnnStatus_t refuse(cudnnStatus_t status, const char *format,
                                                           ...);

/* False for a type that is not simulated. */
bool to_cuda_type(cudnnDataType_t type, cudaDataType_t *result);

/* x, w and y of one convolution in any direction. */
struct Descriptors {
    cudnnTensorDescriptor_t x;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    cudnnTensorDescriptor_t y;
};

/* Checks that the descriptors are set, fit one another, and are simulated. */
cudnnStatus_t check_descriptors(cudnnHandle_t handle, const Descriptors &given);
} // namespace cudasim

#endif
