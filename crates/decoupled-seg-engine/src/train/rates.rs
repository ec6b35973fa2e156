use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::module::{Module, ParamGroup, ParamId};

use crate::checkpoint::Parameters;
use crate::recipe::{RateGroup, RecipeError};

/// The learning rate of every parameter at a step.
pub(crate) struct Rates {
    groups: Vec<(ParamGroup, f64)>,
}

impl Rates {
    pub fn new<M: Module>(model: &M, groups: &[RateGroup]) -> Result<Self, RecipeError> {
        let parameters = Parameters::of(model).list;
        let groups = groups
            .iter()
            .map(|group| {
                let ids: Vec<ParamId> = parameters
                    .iter()
                    .filter(|parameter| group.matches(&parameter.name))
                    .map(|parameter| ParamId::from(parameter.id))
                    .collect();
                if ids.is_empty() {
                    return Err(RecipeError::Value {
                        field: "rate_groups.prefix",
                        found: format!("\"{}\" names no parameter", group.prefix),
                        expected: "the start of a parameter's name",
                    });
                }
                Ok((ParamGroup::from_ids(ids), group.factor))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// The rates where the schedule says `rate`.
    pub fn at(&self, rate: f64) -> ModuleLearningRate {
        // burn-optim hands out rates by group from schedulers only; a number is a constant one.
        let mut scheduler = ModuleLrScheduler::new(rate);
        for (group, factor) in &self.groups {
            scheduler = scheduler.with_group(group.clone(), rate * factor);
        }
        scheduler.step()
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;

    #[derive(Module, Debug)]
    struct Net {
        backbone: Linear,
        head: Linear,
    }

    fn net() -> Net {
        let device = Device::default();
        Net {
            backbone: LinearConfig::new(1, 1).init(&device),
            head: LinearConfig::new(1, 1).init(&device),
        }
    }

    #[test]
    fn the_last_group_that_names_a_parameter_wins() {
        let net = net();
        let groups = [
            RateGroup::new("head", 10.0),
            RateGroup::new("head.bias", 20.0),
        ];
        let rates = Rates::new(&net, &groups)
            .expect("both name parameters")
            .at(0.01);
        assert_eq!(rates.lr_from_param(net.backbone.weight.id, None), 0.01);
        assert_eq!(rates.lr_from_param(net.head.weight.id, None), 0.1);
        let bias = net.head.bias.as_ref().expect("a bias by default");
        assert_eq!(rates.lr_from_param(bias.id, None), 0.2);
    }

    #[test]
    fn a_group_of_nothing_is_refused() {
        let error = Rates::new(&net(), &[RateGroup::new("neck", 1.0)])
            .err()
            .expect("no neck");
        assert_eq!(
            error.to_string(),
            "rate_groups.prefix: \"neck\" names no parameter, expected the start of a parameter's name"
        );
    }
}
