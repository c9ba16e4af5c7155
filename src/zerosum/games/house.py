"""House: our own default, for small machines and small data.

A first version.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.games.dcgan import normal_weights, normed
from zerosum.layers.shapes import Crop, Reshape, doublings, halved
from zerosum.losses.adversarial import hinge_fake, hinge_real, relativistic, says_fake, says_real
from zerosum.losses.penalties import gradient_square


@dataclass(frozen=True)
class Config:
    z: int = 128
    width: int = 64
    rate: float = 2e-4
    gamma: float = 2.0
    every: int = 8
    loss: str = "bce"
    dnorm: bool = True
    unshuffle: bool = False
    grate: float = 1.0
    mbstd: bool = False


class House(Game):
    """x arXiv 0000.00000"""
    Config = Config
    tiny = Config(z=8, width=4)

    def __init__(self, config, shape):
        super().__init__(config, shape)
        times, h, w = doublings(shape)
        c=config
        if c.unshuffle:
            W=[c.width*min(4,2**i)*2 for i in range(times-1)]
        else:
            W=[c.width*min(8,2**i) for i in range(times)]
        top=W[-1]
        up=[nn.Linear(c.z,top*h*w,bias=False),Reshape(top,h,w),*normed(top,nn.ReLU())]
        for a,b in zip(W[:0:-1],W[-2::-1]):
            up+=[nn.ConvTranspose2d(a,b,4,2,1,bias=False),*normed(b,nn.ReLU())]
        if c.unshuffle:
            up+=[nn.ConvTranspose2d(W[0],W[0],4,2,1,bias=False),*normed(W[0],nn.ReLU())] if False else []
            up+=[nn.ConvTranspose2d(W[0],12,4,2,1),nn.PixelShuffle(2)]
            down=[nn.PixelUnshuffle(2),nn.Conv2d(12,W[0],4,2,1),nn.LeakyReLU(.2)]
        else:
            up+=[nn.ConvTranspose2d(W[0],3,4,2,1)]
            down=[nn.Conv2d(3,W[0],4,2,1),nn.LeakyReLU(.2)]
        up+=[Crop(shape.height,shape.width),nn.Tanh()]
        for a,b in zip(W[:-1],W[1:]):
            down+=[nn.Conv2d(a,b,4,2,1,bias=not c.dnorm),*(normed(b,nn.LeakyReLU(.2)) if c.dnorm else [nn.LeakyReLU(.2)])]
        h,w=halved(shape.height,times),halved(shape.width,times)
        if c.mbstd:
            down+=[MBStd(),nn.Conv2d(top+1,top,3,1,1),nn.LeakyReLU(.2)]
        down+=[nn.Flatten(),nn.Linear(top*h*w,1)]
        self.G=nn.Sequential(*up).apply(normal_weights)
        self.D=nn.Sequential(*down)
        if c.dnorm: self.D.apply(normal_weights)
        else:
            for m in self.D:
                if isinstance(m,(nn.Conv2d,nn.Linear)): nn.init.kaiming_normal_(m.weight,0.2); nn.init.zeros_(m.bias)

    def players(self):
        adam=lambda r: partial(Adam,lr=self.config.rate*r,betas=(.5,.999))
        return {"D":Player([self.D],adam(1.)),"G":Player([self.G],adam(self.config.grate))}
    def turns(self):
        t=[Turn("D",self.D_loss),Turn("G",self.G_loss,draws=False)]
        if self.config.gamma: t.insert(1,Turn("D",self.r1,draws=False,every=self.config.every))
        return t
    def generator(self): return LatentGenerator(Header(self.name(),self.settings(),self.shape),self.G,self.config.z,self.D)
    def fakes(self,n): return self.G(torch.randn(n,self.config.z))
    def D_loss(self,batch,clock):
        with torch.no_grad(): fake=self.fakes(len(batch))
        a,b=self.D(batch.x),self.D(fake)
        l=self.config.loss
        if l=="bce": r,f=says_real(a),says_fake(b)
        elif l=="hinge": r,f=hinge_real(a),hinge_fake(b)
        else: r=relativistic(a,b); f=r*0
        return r+f,{"D_real":r,"D_fake":f}
    def G_loss(self,batch,clock):
        l=self.config.loss
        b=self.D(self.fakes(len(batch)))
        if l=="bce": g=says_real(b)
        elif l=="hinge": g=-b.float().mean()
        else:
            with torch.no_grad(): a=self.D(batch.x)
            g=relativistic(b,a)
        return g,{"G":g}
    def r1(self,batch,clock):
        p=gradient_square(self.D,batch.x)
        return self.config.gamma/2*self.config.every*p,{"R1":p}

class MBStd(nn.Module):
    def forward(self,x):
        s=x.float().std(0,unbiased=False).mean()
        return torch.cat([x,s.to(x.dtype).expand(x.shape[0],1,*x.shape[2:])],1)
