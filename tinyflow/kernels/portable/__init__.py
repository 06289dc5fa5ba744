"""tinyflow's own portable C kernels, for what CMSIS-NN or its version at hand lacks.

Their C is in `firmware/kernels`; each is exact with TFLM's reference kernel.
"""
