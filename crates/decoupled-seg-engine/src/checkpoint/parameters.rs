//! Names and identities of a network's tensors.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Int, Tensor, TensorReadError};

/// What the network's tensors are called, in its own order.
#[derive(Default)]
pub(crate) struct Parameters {
    path: Vec<String>,
    /// Name and identity of every tensor.
    pub list: Vec<Parameter>,
}

pub(crate) struct Parameter {
    pub name: String,
    pub id: u64,
}

impl Parameters {
    pub fn of<M: Module>(module: &M) -> Self {
        let mut parameters = Self::default();
        module.visit(&mut parameters);
        parameters
    }

    /// The identities by name. The optimizer's state is keyed by them.
    pub fn ids(&self) -> BTreeMap<String, u64> {
        self.list
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.id))
            .collect()
    }

    fn push(&mut self, id: ParamId) {
        self.list.push(Parameter {
            name: self.path.join("."),
            id: id.val(),
        });
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.push(param.id);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(param.id);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(param.id);
    }
}

/// Gives a network's parameters the identities that they had when a checkpoint was written.
pub(crate) struct RestoreIds<'a> {
    path: Vec<String>,
    ids: &'a BTreeMap<String, u64>,
}

impl<'a> RestoreIds<'a> {
    pub fn new(ids: &'a BTreeMap<String, u64>) -> Self {
        Self {
            path: Vec::new(),
            ids,
        }
    }
}

impl ModuleMapper for RestoreIds<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.ids.get(&self.path.join(".")) {
            Some(&id) => {
                let (_, tensor, mapper) = param.consume();
                Param::from_mapped_value(ParamId::from(id), tensor, mapper)
            }
            None => param,
        }
    }
}

/// Finds the first float tensor with a value that is not finite, reading one flag back for all.
#[derive(Default)]
pub(crate) struct FiniteCheck {
    path: Vec<String>,
    names: Vec<String>,
    sums: Vec<Tensor<1>>,
}

impl FiniteCheck {
    /// The path of the first parameter with a value that is not finite. `Err` if the device does not answer.
    pub fn first_offender<M: Module>(module: &M) -> Result<Option<String>, TensorReadError> {
        let mut check = Self::default();
        module.visit(&mut check);
        if check.sums.is_empty() {
            return Ok(None);
        }
        let sums: Vec<f32> = Tensor::cat(check.sums, 0).try_into_vec_as()?;
        let offender = sums.iter().position(|sum| !sum.is_finite());
        Ok(offender.map(|offender| check.names.swap_remove(offender)))
    }
}

impl ModuleVisitor for FiniteCheck {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.push(self.path.join("."));
        // Zero times a number that is not finite is NaN, so the sum tells without overflowing.
        self.sums
            .push(param.val().inner().mul_scalar(0.0).sum().reshape([1]));
    }
}
