"""The networks of RoPAR in one module, so that they are kept, averaged and bundled together."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from . import autoregressive, parts


class RoPAR(nn.Module):
    """A P-VAE and, once it is trained, the masked transformer with its head on its latents.

    Args:
        vae: sizes of the P-VAE; transformer: of the transformer, None: not yet.
    """

    def __init__(self, vae: parts.Architecture, transformer: autoregressive.Architecture | None) -> None:
        super().__init__()
        self.vae = parts.PartVAE(vae)
        self.transformer = (
            autoregressive.Transformer(transformer, len(self.vae.layout), self.vae.latent)
            if transformer
            else None
        )

    def forward(
        self, described: Tensor, present: Tensor, valid: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Parts through drawn tokens ``(B, T, P, R, 6)``; and the posteriors, see :meth:`PartVAE.posteriors`.

        Args:
            noise: ``(B, N, P, D)``.
        """
        mean, spread = self.vae.posteriors(described, present, valid)
        z = mean + noise * (0.5 * spread).exp()
        return self.vae.decode_parts(z, present.any(-1), valid.shape[1]), mean, spread

    def predict(self, *arguments: Any) -> Tensor:
        """See :meth:`Transformer.loss`."""
        assert self.transformer is not None
        return self.transformer.loss(*arguments)
