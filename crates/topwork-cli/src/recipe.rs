//! What a training does where the command line says nothing: topwork's own choices, or those of a recipe.

use crate::arguments::{FeaturesChoice, HeadChoice, PrecisionChoice, RecipeChoice, SplitChoice, Train};

/// The choices in which recipes differ. All else (seed 42, .15 for validation, 100 epochs, Adam at 1e-3, early stopping,
/// plateau) is the same in all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    pub(crate) backbone: String,
    pub(crate) precision: PrecisionChoice,
    pub(crate) split: SplitChoice,
    pub(crate) features: FeaturesChoice,
    pub(crate) head: HeadChoice,
    pub(crate) batch_size: u32,
}

impl Recipe {
    /// topwork's own.
    fn default() -> Recipe {
        Recipe {
            backbone: topwork::DEFAULT_BACKBONE.to_owned(),
            precision: PrecisionChoice::Int8,
            split: SplitChoice::Stratified,
            features: FeaturesChoice::Auto,
            head: HeadChoice::Linear,
            batch_size: 32,
        }
    }

    /// The notebook on Keras' ResNet-50: features of `include_top=False, pooling="avg"`, Keras' split, four dense layers.
    fn notebook() -> Recipe {
        Recipe {
            backbone: "resnet50".to_owned(),
            precision: PrecisionChoice::F32,
            split: SplitChoice::Keras,
            features: FeaturesChoice::Last,
            head: HeadChoice::Dense(vec![1024, 512, 256, 128]),
            batch_size: 40,
        }
    }

    /// What was typed, and the recipe for the rest.
    pub(crate) fn of(arguments: &Train) -> Recipe {
        let recipe = match arguments.recipe {
            None => Recipe::default(),
            Some(RecipeChoice::Notebook) => Recipe::notebook(),
        };
        Recipe {
            backbone: arguments.backbone.clone().unwrap_or(recipe.backbone),
            precision: arguments.precision.unwrap_or(recipe.precision),
            split: arguments.split.unwrap_or(recipe.split),
            features: arguments.features.unwrap_or(recipe.features),
            head: arguments.head.clone().unwrap_or(recipe.head),
            batch_size: arguments.batch_size.unwrap_or(recipe.batch_size),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn recipe(line: &str) -> Recipe {
        match Arguments::parse_from(line.split(' ')).command {
            Command::Train(arguments) => Recipe::of(&arguments),
            _ => panic!("not a training"),
        }
    }

    #[test]
    fn what_is_typed_stands_over_the_recipe() {
        assert_eq!(recipe("topwork train photos"), Recipe::default());
        assert_eq!(recipe("topwork train photos --recipe notebook"), Recipe::notebook());
        let lite0 = Recipe { backbone: "efficientnet_lite0".to_owned(), batch_size: 7, ..Recipe::notebook() };
        assert_eq!(
            recipe("topwork train photos --recipe notebook --backbone efficientnet_lite0 --batch-size 7"),
            lite0
        );
        let other = Recipe {
            precision: PrecisionChoice::Int8,
            split: SplitChoice::Stratified,
            head: HeadChoice::Linear,
            ..Recipe::notebook()
        };
        assert_eq!(
            recipe("topwork train p --recipe notebook --head linear --split stratified --precision int8"),
            other
        );
    }
}
