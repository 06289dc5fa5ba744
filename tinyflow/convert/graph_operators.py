# SPDX-License-Identifier: Apache-2.0
"""The operators that a SavedModel's graph may run: they compute, and do nothing else.

Whatever is not named here is refused, also operators that later versions of TensorFlow add.
"""

from __future__ import annotations

#: Arithmetic, layers, shapes, images, spectra, quantisation, lists of tensors.
COMPUTING = frozenset(
    """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrastv2 AdjustHue AdjustSaturation All
    Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AudioSpectrogram AvgPool
    AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization
    BatchToSpace BatchToSpaceND BesselI0 BesselI0e BesselI1 BesselI1e Betainc BiasAdd BiasAddV1
    Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastGradientArgs
    BroadcastTo Bucketize Cast Ceil ClipByValue CombinedNonMaxSuppression Complex ComplexAbs
    Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv Conv2D Conv2DBackpropInput
    Conv2DBackpropInputV2 Conv3D Conv3DBackpropInput Conv3DBackpropInputV2 Cos Cosh CropAndResize
    Cross CumulativeLogsumexp Cumprod Cumsum DataFormatDimMap DataFormatVecPermute DenseBincount
    DepthToSpace DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dequantize Diag DiagPart
    Digamma Dilation2D Div DivNoNan DynamicPartition DynamicStitch Einsum Elu EmptyTensorList
    EnsureShape Equal Erf Erfc Erfinv EuclideanNorm Exp ExpandDims Expint Expm1
    ExtractGlimpse ExtractGlimpseV2 ExtractImagePatches ExtractVolumePatches FFT FFT2D FFT3D FFTND
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor
    FloorDiv FloorMod FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D Gather GatherNd GatherV2 GRUBlockCell
    Greater GreaterEqual HSVToRGB HistogramFixedWidth IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D
    IRFFT3D IRFFTND Identity IdentityN Igamma Igammac Imag ImageProjectiveTransformV2
    ImageProjectiveTransformV3 InTopK InTopKV2 Inv Invert InvertPermutation IsFinite IsInf IsNan
    L2Loss LRN LSTMBlockCell LeakyRelu LeftShift Less LessEqual Lgamma LinSpace ListDiff Log Log1p
    LogSoftmax LogicalAnd LogicalNot LogicalOr LowerBound MatMul MatrixBandPart MatrixDiag
    MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag
    MatrixSetDiagV2 MatrixSetDiagV3 Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean
    Mfcc Min Minimum MirrorPad Mod Mul MulNoNan Ndtri Neg NextAfter NoOp NonMaxSuppression
    NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NotEqual
    NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch
    PlaceholderWithDefault Polygamma PopulationCount Pow PreventGradient Prod
    QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
    QuantizeV2 RFFT RFFT2D RFFT3D RFFTND RGBToHSV Range Rank Real RealDiv Reciprocal Relu Relu6
    Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor Reverse ReverseSequence
    ReverseV2 RightShift Rint Roll Round Rsqrt ScaleAndTranslate ScatterNd SegmentMax SegmentMean
    SegmentMin SegmentProd SegmentSum Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size
    Slice Snapshot Softmax Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth SparseToDense
    Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Tan Tanh
    TensorListConcat TensorListConcatLists TensorListConcatV2 TensorListElementShape
    TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
    TensorListPushBack TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter
    TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate TensorStridedSliceUpdate Tile TopK TopKV2 Transpose TruncateDiv TruncateMod
    Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UnsortedSegmentMax
    UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound Where Xdivy Xlog1py Xlogy
    ZerosLike Zeta
    """.split()
)
#: Calls and branches; what they call is judged as well.
CALLING = frozenset(
    """
    Case Enter Exit If LoopCond Merge NextIteration PartitionedCall StatefulPartitionedCall
    StatelessCase StatelessIf StatelessWhile Switch While
    """.split()
)
#: Inputs, and variables in memory.
READING = frozenset(
    """
    AssignVariableOp Assert CheckNumerics CheckNumericsV2 ControlTrigger DisableCopyOnRead
    GuaranteeConst Placeholder PlaceholderV2 ReadVariableOp ResourceGather ResourceGatherNd
    VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2
    """.split()
)
#: Operators that the graph itself may run.
ALLOWED = COMPUTING | CALLING | READING
#: Operators that may also run while a SavedModel of TensorFlow 1 reads its variables.
RESTORING = ALLOWED | {"Assign", "RestoreV2"}
