//! Number types: what is stored and what is calculated with.

use std::ops::{Add, AddAssign, Mul, Sub};

use burn::tensor::{Element, bf16, f16};

use super::transpose::{self, Tile};

/// What the kernels calculate with: `f32`, or `f64` for tensors of that type.
pub(super) trait Real:
    Copy
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + AddAssign
    + Send
    + Sync
{
    const ONE: Self;
    fn from_f64(value: f64) -> Self;
    fn floor(self) -> Self;
    fn abs(self) -> Self;
    /// The nearest `i32` towards zero.
    fn to_i32(self) -> i32;
    fn transpose(tile: Tile<Self>) -> Tile<Self>;
}

macro_rules! real {
    ($type:ty, $transpose:path) => {
        impl Real for $type {
            const ONE: Self = 1.0;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn floor(self) -> Self {
                <$type>::floor(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
            #[inline(always)]
            fn to_i32(self) -> i32 {
                self as i32
            }
            #[inline(always)]
            fn transpose(tile: Tile<Self>) -> Tile<Self> {
                $transpose(tile)
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
real!(f32, transpose::shuffled);
#[cfg(not(target_arch = "x86_64"))]
real!(f32, transpose::plain);
real!(f64, transpose::plain);

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
