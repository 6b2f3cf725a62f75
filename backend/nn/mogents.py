"""The networks of MoGenTS in one module, so that they are kept, averaged and bundled together."""

from __future__ import annotations

from torch import Tensor, nn

from . import masked, quantiser


class MoGenTS(nn.Module):
    """A quantiser and, once it is trained, the two transformers on its codes.

    Args:
        codes: sizes of the quantiser; transformers: of the transformers, None: not yet.
    """

    def __init__(self, codes: quantiser.Architecture, transformers: masked.Architecture | None) -> None:
        super().__init__()
        self.quantiser = quantiser.Quantiser(codes)
        self.masked = masked.Masked(transformers, codes.codes) if transformers else None
        self.residual = (
            masked.Residual(transformers, codes.codes, codes.levels)
            if transformers and codes.levels > 1
            else None
        )

    def forward(self, channels: Tensor, offsets: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Motion through the codes; see :meth:`Quantiser.forward`."""
        return self.quantiser(channels, offsets, valid)

    def predict(
        self, tokens: Tensor, codes: Tensor, level: Tensor, valid: Tensor, context: masked.Context
    ) -> tuple[Tensor, Tensor | None]:
        """Logits of hidden first-level ``tokens``; and of one further level of ``codes`` for the first half of
        the rows (they cost nearly as much and are learnt sooner), None where there is none."""
        assert self.masked is not None
        first = self.masked(tokens, valid, context)
        if self.residual is None:
            return first, None
        half = slice((len(tokens) + 1) // 2)
        return first, self.residual(codes[half], level[half], valid[half], context.rows(half))
