//! Number types: what is stored and what is calculated with.

use std::ops::AddAssign;

use burn::tensor::{Element, bf16, f16};
use num_traits::{AsPrimitive, Float};

use super::transpose::{self, Tile};

/// What the kernels calculate with: `f32`, or `f64` for tensors of that type.
pub(super) trait Real: Float + AsPrimitive<i32> + AddAssign + Default + Send + Sync {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        <Self as num_traits::NumCast>::from(value).expect("a float rounds any other")
    }

    fn transpose(tile: Tile<Self>) -> Tile<Self>;
}

impl Real for f32 {
    #[inline(always)]
    fn transpose(tile: Tile<Self>) -> Tile<Self> {
        #[cfg(target_arch = "x86_64")]
        return transpose::shuffled(tile);
        #[cfg(not(target_arch = "x86_64"))]
        transpose::plain(tile)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn transpose(tile: Tile<Self>) -> Tile<Self> {
        transpose::plain(tile)
    }
}

/// What a tensor stores.
pub(super) trait Storage: Element + Copy + Default + Send + Sync {
    type Real: Real;
    fn load(self) -> Self::Real;
    fn store(value: Self::Real) -> Self;
}

macro_rules! storage {
    ($type:ty, $real:ty, $load:expr, $store:expr) => {
        impl Storage for $type {
            type Real = $real;
            #[inline(always)]
            fn load(self) -> $real {
                $load(self)
            }
            #[inline(always)]
            fn store(value: $real) -> Self {
                $store(value)
            }
        }
    };
}
storage!(f32, f32, |value| value, |value| value);
storage!(f64, f64, |value| value, |value| value);
storage!(f16, f32, f16::to_f32, f16::from_f32);
storage!(bf16, f32, bf16::to_f32, bf16::from_f32);
